"""Label files of public data sets, read into one form and written back for their evaluators."""
