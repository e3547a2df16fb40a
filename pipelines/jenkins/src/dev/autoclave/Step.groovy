package dev.autoclave

/**
 * One step of Autoclave in the workspace of the build.
 *
 * Between two Jenkins steps there are only strings, lists and maps of strings, so that a controller may
 * restart anywhere. Values reach the command as variables, never as text of a script.
 */
class Step implements Serializable {
    private static final long serialVersionUID = 1L

    /** Run a step; return the digests that it worked on, as NAME=DIGEST. */
    static String run(script, String name, String step, String command, Map given) {
        check(script, name, step, given)
        boolean pullRequest = script.env.CHANGE_ID ? true : false
        if (pullRequest && step in ['sign', 'deploy']) {
            script.error(name + ': a pull request releases nothing; skip this stage when env.CHANGE_ID is set')
        }
        Map values = valuesOf(script, name, step, given, pullRequest)
        String folder = values.AUTOCLAVE_FOLDER ?: script.env.AUTOCLAVE_FOLDER ?: '.'
        if (Call.problem(name, step, [folder: folder])) {
            script.error(Call.problem(name, step, [folder: folder]))
        }
        if (step == 'deploy' && !environmentOf(script, given)) {
            script.error(name + ": the key 'environment' must be given")
        }
        String left = step == 'deploy' ? 'deploy-' + environmentOf(script, given) : step
        String taken = '.autoclave/taken/' + left
        script.dir(folder + '/.autoclave/handover/' + left) { script.deleteDir() }
        if (step == 'build') {
            script.dir(folder + '/.autoclave/reports') { script.deleteDir() }
        }
        values.AUTOCLAVE_TEMPLATE = Keys.version()
        values.AUTOCLAVE_HAND_ON = '.autoclave/handover/' + left
        if (step == 'build') {
            values.AUTOCLAVE_TAKE_FROM = ''
            values.AUTOCLAVE_DIGEST = ''
        } else {
            values.AUTOCLAVE_TAKE_FROM = readHandovers(script, step, folder, taken)
            values.AUTOCLAVE_DIGEST = given.digest ? given.digest.toString() : digests(script, name, folder, taken)
        }
        try {
            if (step == 'deploy') {
                withLock(script, 'autoclave-' + environmentOf(script, given)) {
                    bindCredentials(script, step, command, given, values, pullRequest)
                }
            } else {
                bindCredentials(script, step, command, given, values, pullRequest)
            }
        } finally {
            writeHandover(script, step, folder, left)
            script.dir(folder + '/' + taken) { script.deleteDir() }
        }
        return step == 'build' ? digests(script, name, folder, '.autoclave/handover') : values.AUTOCLAVE_DIGEST
    }

    /** Refuse an invalid call. */
    static void check(script, String name, String step, Map given) {
        String problem = Call.problem(name, step, given)
        if (problem) {
            script.error(problem)
        }
    }

    /** Run with a resource locked; without the lock where the controller has no such step. */
    static void withLock(script, String resource, Closure body) {
        boolean entered = false
        try {
            script.lock(resource: resource) {
                entered = true
                body()
            }
        } catch (NoSuchMethodError missing) {
            if (entered) {
                throw missing
            }
            script.echo('The step lock is missing: install Lockable Resources, so that builds wait for each other.')
            body()
        }
    }

    private static String environmentOf(script, Map given) {
        return script.env.AUTOCLAVE_ENVIRONMENT ?: Call.text(given.environment) ?: ''
    }

    /** Return the variables of the keys that were given. Variables that the controller sets already take precedence. */
    private static Map valuesOf(script, String name, String step, Map given, boolean pullRequest) {
        Map found = [:]
        Map variables = Call.variables(step)
        List names = variables.keySet() as List
        for (int i = 0; i < names.size(); i++) {
            String value = Call.text(given[names[i]])
            String set = script.env."${variables[names[i]]}"
            if (value != null && set && set != value) {
                script.echo(name + ': ' + variables[names[i]] + " is set in this build's environment and overrides the key '"
                    + names[i] + "'")
            } else if (value != null) {
                found[variables[names[i]]] = value
            }
        }
        if (pullRequest) {
            // Unreviewed code is signed with development keys, and no release accepts them. The trust file lists
            // other keys: without it, the stages of this build trust only each other.
            found.AUTOCLAVE_TRUST = ''
            found.AUTOCLAVE_KEY = ''
            found.AUTOCLAVE_PUBLIC_KEY = ''
            found.AUTOCLAVE_STORE = Call.text(given.pullRequestStore) ?: ''
        }
        return found
    }

    /** Fetch the handovers of the earlier steps of this build; return the folders, relative to the device's. */
    private static String readHandovers(script, String step, String folder, String taken) {
        List steps = Keys.takes(step)
        List folders = []
        // A folder of this step's own: parallel steps may share a workspace.
        script.dir(folder + '/' + taken) {
            script.deleteDir()
            for (int i = 0; i < steps.size(); i++) {
                try {
                    script.unstash(Call.stash(steps[i], folder))
                } catch (hudson.AbortException missing) {
                    script.echo('No ' + steps[i] + ' step of this build left a handover: ' + missing.message)
                }
                folders.add(taken + '/' + steps[i])
            }
        }
        return folders.join(' ')
    }

    private static String digests(script, String name, String folder, String below) {
        String file = folder + '/' + below + '/build/digests.env'
        String found = script.fileExists(file) ? Call.digests(script.readFile(file: file, encoding: 'UTF-8')) : ''
        if (!found) {
            script.error(name + ': ' + file + ' names no digest: the build step of this build must come first')
        }
        return found
    }

    /** Run the command with its variables and credentials. */
    private static void bindCredentials(script, String step, String command, Map given, Map values, boolean pullRequest) {
        List bindings = []
        Map files = [:]
        Map credentials = Call.credentials(given)
        List names = credentials.keySet() as List
        for (int i = 0; i < names.size(); i++) {
            String credential = names[i]
            String variable = Keys.credentials(step)[credential][0]
            String kind = Keys.credentials(step)[credential][1]
            if (pullRequest ? credential in Keys.ofReleases() : credential == 'pullRequestRegistry') {
                continue
            }
            if (variable && script.env."${variable}") {
                script.echo(variable + " is set in this build's environment and overrides the credential '" + credential + "'")
                continue
            }
            if (kind == 'login') {
                values.CI_REGISTRY = Call.registry(values.AUTOCLAVE_STORE ?: script.env.AUTOCLAVE_STORE)
                bindings.add(script.usernamePassword(credentialsId: credentials[credential].toString(),
                    usernameVariable: 'CI_REGISTRY_USER', passwordVariable: 'CI_REGISTRY_PASSWORD'))
            } else {
                files[variable] = kind
                String id = credentials[credential].toString()
                bindings.add(kind == 'zip'
                    ? script.zip(credentialsId: id, variable: variable + '_FILE')
                    : script.file(credentialsId: id, variable: variable + '_FILE'))
            }
        }
        if (bindings) {
            script.withCredentials(bindings) { runCommand(script, step, command, values, files) }
        } else {
            runCommand(script, step, command, values, files)
        }
    }

    private static void runCommand(script, String step, String command, Map values, Map files) {
        List environment = []
        List names = values.keySet() as List
        for (int i = 0; i < names.size(); i++) {
            environment.add(names[i] + '=' + values[names[i]])
        }
        List variables = files.keySet() as List
        for (int i = 0; i < variables.size(); i++) {
            String path = script.env."${variables[i] + '_FILE'}"
            String before = files[variables[i]] == 'keyFile' ? 'file:' : ''
            String after = files[variables[i]] == 'zip' ? '/trust.toml' : ''
            environment.add(variables[i] + '=' + before + path + after)
        }
        script.withEnv(environment) { script.sh(script: command, label: command) }
    }

    /** Stash what the step left for the next ones, and show its reports. */
    private static void writeHandover(script, String step, String folder, String left) {
        script.dir(folder + '/.autoclave/handover') {
            script.stash(name: Call.stash(left, folder), includes: left + '/**', useDefaultExcludes: false, allowEmpty: true)
        }
        script.dir(folder) {
            // The image itself is in the stash or in the registry; the archive keeps its records and reports.
            String kept = '.autoclave/handover/' + left + (step == 'build' ? '/digests.env' : '/**')
            if (step == 'unit-test') {
                script.junit(testResults: '.autoclave/reports/*/junit*.xml', allowEmptyResults: true)
                kept += ', .autoclave/reports/*/junit*.xml, .autoclave/reports/*/coverage.xml'
            }
            if (step == 'scan') {
                findings(script)
                kept += ', .autoclave/reports/**/*.json, .autoclave/reports/**/findings.sarif'
            }
            script.archiveArtifacts(artifacts: kept, excludes: '**/.lock', fingerprint: true, allowEmptyArchive: true)
        }
    }

    private static void findings(script) {
        try {
            script.recordIssues(tools: [script.sarif(pattern: '.autoclave/reports/**/findings.sarif')])
        } catch (NoSuchMethodError missing) {
            script.echo('The step recordIssues is missing: install Warnings to see the findings as a table.')
        }
    }
}
