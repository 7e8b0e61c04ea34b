"""HTTP for every room of web: requests and their bodies, responses, errors, authentication. It knows no endpoint."""
