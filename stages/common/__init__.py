"""What every stage uses: settings checked before work starts, and files that are never half written."""
