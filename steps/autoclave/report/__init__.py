"""The release report: everything the records of one image say, for people (HTML, PDF) and machines (JSON).

`schema` and `rows` are its form, `sections` fill it from verified evidence, `html` and `pdf` show it.
"""
