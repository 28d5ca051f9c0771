"""Pure rules, vendor clients, the store and the web doors. Knows no Prefect."""
