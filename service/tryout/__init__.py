"""A detector on somebody's own file, without a service: read, guess, choose, judge, show, write.

column roles
    A file has one time column, one or more value columns, and label columns; what is not said is
    guessed, and every guess is printed as a sentence.
finding
    One series of the file with the detector's answer for it.
"""
