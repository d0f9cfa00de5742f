"""From recipe text to a plan: parse, read each step with the lexicon, write the enhanced prompt."""
