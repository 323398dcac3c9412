"""A data set as a folder of shards: ``index.json``, one small file that says what stands in every row, and the rows.

``format`` is what the index says, ``objects`` moves files of the folder, ``writing`` makes shards of any table,
``reading`` opens them as a table whose rows are not in memory, ``store`` reads the rows, and ``disk`` keeps fetched
shards within a limit. Why the format is what it is: docs/adr/0019.
"""
