"""Preparers: facts that are not relational, each made into one derived table that checks read.

A file holds one preparer: ``prepare(con, ...)`` creates the table named like the file from the views
``stored_<kind>`` and the settings tables of a scan. Needs the extra ``quality``; never imported to serve.
"""
