"""The release report: everything the records of one image say, for people (HTML, PDF) and machines (JSON).

`tree` and `rows` are its form, the section modules fill it from verified evidence, `page` and `pdf` show it.
"""
