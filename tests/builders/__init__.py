"""What tests are made of: facts, records, bundles and reports to spoil."""
