"""The REST side of DACS, DERMS and CIS: published paths, fields, codes and limits, a memory, and a fault dial."""
