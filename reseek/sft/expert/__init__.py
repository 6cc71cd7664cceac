"""The expert for questions from any file: it knows the gold answers and looks its queries up before it says them."""
