"""What would be imported, examined before any picture is decoded."""
