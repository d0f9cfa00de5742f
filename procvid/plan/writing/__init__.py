"""Write the prompt of a shot from its own clause and the objects of the plan."""
