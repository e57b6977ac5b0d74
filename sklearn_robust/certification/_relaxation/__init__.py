"""Linear relaxation of torch modules: the record of a run, intervals, backward linear bounds."""
