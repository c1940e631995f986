"""A model enters, IR leaves."""
