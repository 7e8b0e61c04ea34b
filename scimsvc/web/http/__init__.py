"""What all HTTP requests and answers have in common."""
