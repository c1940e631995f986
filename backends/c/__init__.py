"""A dnn module as one portable C99 source file and its header: no allocation, one arena planned at compile time."""
