"""The server behind the page: the queue, the worker, the visitors and the files of runs."""
