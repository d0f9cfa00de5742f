"""LoRAs, crop stores and runs as releases of the Hub: where `hub` and the stages meet."""
