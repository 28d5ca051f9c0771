"""Who answers a question to a model: the candidates one after the other, under limits, counted."""
