"""The same data through wavefier and through other tools of the field."""
