"""Walk through the page in a headless browser: pictures, words, clicks, seconds, bytes, and accessibility."""
