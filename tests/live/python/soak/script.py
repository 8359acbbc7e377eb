import script_helper

print("Content-Type: text/plain\n\nscript %s" % script_helper.ANSWER)
