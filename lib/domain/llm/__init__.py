"""Rules of the door to the models: the table, the choice, and the dialects that it translates."""
