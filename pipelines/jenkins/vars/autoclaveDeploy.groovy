import dev.autoclave.Step

/** Verify again and deploy to an environment. */
String call(Map given = [:]) {
    return Step.run(this, 'autoclaveDeploy', 'deploy', 'autoclave deploy', given)
}
