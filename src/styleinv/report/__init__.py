"""Tables, figures and the report page, from plain files and dictionaries."""
