"""The measurements that README and docs quote; each prints the machine and the spread."""
