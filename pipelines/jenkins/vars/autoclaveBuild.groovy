import dev.autoclave.Step

/** Build the device's images; return their digests, as NAME=DIGEST. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveBuild', 'build', 'autoclave build', given)
}
