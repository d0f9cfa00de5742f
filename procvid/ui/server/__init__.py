"""What serves the page: the queue, the worker, the visitors and the files of runs."""
