"""The REST side of DACS, the DERMS and the CIS: published paths, fields, codes and limits, a memory, and a fault dial."""
