"""What the application reads beside SCIM: its accounts, and previews of mappings."""
