"""One module a revision, in order; what is longer than a line of SQL lies in ../sql under the revision's number."""
