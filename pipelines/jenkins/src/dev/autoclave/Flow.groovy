package dev.autoclave

/** The whole flow: a node for every stage, and a checkout until the release is signed. */
class Flow implements Serializable {
    private static final long serialVersionUID = 1L

    /** Run the stages for this kind of build; return the digests, as NAME=DIGEST. */
    static String run(script, Map given) {
        Step.check(script, 'autoclavePipeline', 'pipeline', given)
        // Set in the first node, since the controller does not have an agent's variables.
        Map state = [commit: '', digest: '']
        String agent = given.agent ? given.agent.toString() : ''
        script.stage('build') {
            on(script, agent, state) {
                state.digest = Step.run(script, 'autoclaveBuild', 'build', 'autoclave build', Call.part('build', given))
            }
        }
        List waves = Keys.checks()
        script.stage('verify') {
            for (int i = 0; i < waves.size(); i++) {
                script.parallel(branches(script, agent, given, state, waves[i]))
            }
        }
        if (releases(script)) {
            release(script, given, state)
        }
        return state.digest
    }

    /** One branch for each check, under the name of its step. */
    private static Map branches(script, String agent, Map given, Map state, List checks) {
        Map found = [:]
        for (int i = 0; i < checks.size(); i++) {
            found[checks[i][1]] = branch(script, agent, given, state, checks[i])
        }
        return found
    }

    private static Closure branch(script, String agent, Map given, Map state, List check) {
        return {
            on(script, agent, state) {
                Step.run(script, check[0], check[1], check[2], Call.part(check[1], given))
            }
        }
    }

    private static boolean releases(script) {
        if (script.env.CHANGE_ID) {
            script.echo('A pull request: built, tested and scanned. Nothing is signed or deployed.')
            return false
        }
        if (script.env.BRANCH_IS_PRIMARY == 'true' || script.env.TAG_NAME) {
            return true
        }
        script.echo('Neither the primary branch nor a tag of a multibranch project: nothing is signed or deployed.')
        return false
    }

    private static void release(script, Map given, Map state) {
        String agent = (given.releaseAgent ?: given.agent ?: '').toString()
        String staging = (given.staging ?: 'staging').toString()
        String production = (given.production ?: 'none').toString()
        script.stage('sign') {
            on(script, agent, state) {
                Step.run(script, 'autoclaveSign', 'sign', 'autoclave sign', Call.part('sign', given))
            }
        }
        if (staging != 'none') {
            script.stage('deploy ' + staging) { deploy(script, agent, given, state, staging, '') }
        }
        if (production != 'none') {
            String submitter = ''
            // Outside any node, so that no agent is occupied while a person decides.
            script.stage('approve ' + production) { submitter = waitForApproval(script, given, state, production) }
            script.stage('deploy ' + production) { deploy(script, agent, given, state, production, submitter) }
        }
    }

    private static void deploy(script, String agent, Map given, Map state, String environment, String submitter) {
        Map own = Call.part('deploy', given)
        own.environment = environment
        // Without a checkout: what was signed is deployed, and nothing of the repository is used.
        script.node(agent) {
            if (submitter) {
                String folder = (script.env.AUTOCLAVE_FOLDER ?: given.folder ?: '.').toString()
                String said = Call.approval(environment, submitter, state.digest, script.env.BUILD_URL ?: script.env.BUILD_TAG)
                script.dir(folder) {
                    script.writeFile(file: '.autoclave/reports/device/approval.json', text: said, encoding: 'UTF-8')
                    script.archiveArtifacts(artifacts: '.autoclave/reports/device/approval.json', fingerprint: true)
                }
            }
            Step.run(script, 'autoclaveDeploy', 'deploy', 'autoclave deploy', own)
        }
    }

    /** Wait for a person; return the user that Jenkins names. */
    private static String waitForApproval(script, Map given, Map state, String environment) {
        Map asked = [
            message: 'Release ' + state.digest + ' to ' + environment + '?',
            ok: 'Release',
            submitterParameter: 'AUTOCLAVE_APPROVER',
        ]
        if (given.submitter) {
            asked.submitter = given.submitter.toString()
        }
        Object answer = script.input(asked)
        String submitter = (answer instanceof Map ? answer.AUTOCLAVE_APPROVER : answer)?.toString()
        if (!submitter) {
            script.error('autoclavePipeline: Jenkins does not say who approved: only a user who is logged in can approve')
        }
        String before = script.currentBuild.description
        script.currentBuild.description = (before ? before + '; ' : '') + environment + ': approved by ' + submitter
        return submitter
    }

    /** Run on an agent, in a workspace with this build's commit. */
    private static void on(script, String agent, Map state, Closure body) {
        script.node(agent) {
            Object revision = script.checkout(script.scm)
            String commit = revision instanceof Map && revision.GIT_COMMIT ? revision.GIT_COMMIT.toString() : ''
            if (state.commit && commit != state.commit) {
                script.error('autoclavePipeline: this stage has commit ' + commit + ', but the build stage had '
                    + state.commit)
            }
            state.commit = commit
            body()
        }
    }
}
