"""The database: tables, migrations, and one module for each kind of row. No SQL stands elsewhere."""
