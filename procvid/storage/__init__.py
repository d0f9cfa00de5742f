"""Read and write files so that each one is complete, and lock folders."""
