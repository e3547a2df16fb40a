import dev.autoclave.Step

/** Verify again and deploy to an environment. Returns the digests that it was about, as NAME=DIGEST. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveDeploy', 'deploy', 'autoclave deploy', given)
}
