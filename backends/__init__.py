"""IR becomes something outside: a program for the accelerator, C, a report."""
