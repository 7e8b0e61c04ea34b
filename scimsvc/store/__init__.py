"""The store on SQLite and PostgreSQL: models, migrations, filters as SQL, repositories. The only floor that knows SQL."""
