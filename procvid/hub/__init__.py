"""Bundle, check, publish and pull artifacts of the Hugging Face Hub. Loads no models."""
