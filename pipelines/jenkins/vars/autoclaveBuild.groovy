import dev.autoclave.Step

/** Build the device's images and record how. Returns the digests that it was about, as NAME=DIGEST. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveBuild', 'build', 'autoclave build', given)
}
