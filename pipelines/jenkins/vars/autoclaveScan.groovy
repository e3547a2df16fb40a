import dev.autoclave.Step

/** Scan an image and record every finding. Returns the digests that it was about, as NAME=DIGEST. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveScan', 'scan', 'autoclave database update --older-than 12 && autoclave scan', given)
}
