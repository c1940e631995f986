"""What programs are: dialects, types, hardware, exact meaning. Knows no file format, no pass, no backend."""
