"""Who somebody is, and what their token lets them do."""
