"""The endpoints for operators: `/healthz`, `/readyz`, `/metrics`, and where they are served."""
