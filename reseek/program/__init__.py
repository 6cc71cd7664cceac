"""The program `reseek`: its commands, their help and how they report errors."""
