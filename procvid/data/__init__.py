"""From instructional videos to clips with words: readers, stages, export. `curate` joins them."""
