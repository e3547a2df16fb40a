package dev.autoclave

import com.cloudbees.groovy.cps.NonCPS

/** The keys of a call, checked: pure functions over plain values, so that nothing here has to survive a restart. */
class Call implements Serializable {
    private static final long serialVersionUID = 1L

    /** Return what is wrong with a call, or an empty string. */
    @NonCPS
    static String problem(String name, String step, Map given) {
        Map<String, List> keys = Keys.of(step)
        for (Map.Entry entry : given.entrySet()) {
            String key = entry.key.toString()
            if (!keys.containsKey(key)) {
                return name + ": unknown key '" + key + "'; " + nearest(key, keys.keySet())
            }
            String wrong = wrongValue(keys[key][1], keys[key][2], entry.value)
            if (wrong) {
                return name + ": the value of '" + key + "' " + wrong
            }
        }
        return credentialProblem(name, step, given)
    }

    @NonCPS
    private static String wrongValue(String kind, String pattern, Object value) {
        if (value == null) {
            return ''
        }
        if (kind == 'map') {
            return value instanceof Map ? '' : 'must be a map, such as [key: \'id-of-a-credential\']'
        }
        if (kind == 'flag') {
            return value.toString() in ['true', 'false'] ? '' : 'must be true or false'
        }
        for (Object each : (value instanceof Collection ? value : [value])) {
            if (!(each instanceof CharSequence) && !(each instanceof Number)) {
                return 'must be text'
            }
            if (each.toString().indexOf(0) >= 0) {
                return 'contains a NUL character, which a variable cannot'
            }
            if (kind == 'list' && each.toString() ==~ /(?s).*\s.*|/) {
                return 'must be a list of words without spaces'
            }
            if (pattern && !(each.toString() ==~ pattern)) {
                return 'must match ' + pattern
            }
        }
        return value instanceof Collection && kind != 'list' ? 'must be one value, not a list' : ''
    }

    @NonCPS
    private static String credentialProblem(String name, String step, Map given) {
        Map<String, List> known = Keys.credentials(step)
        Map<String, String> taken = [:]
        for (Map.Entry entry : credentials(given).entrySet()) {
            String credential = entry.key.toString()
            if (!known.containsKey(credential)) {
                return name + ": unknown credential '" + credential + "'; " + nearest(credential, known.keySet())
            }
            if (!entry.value) {
                return name + ": the credential '" + credential + "' has no id"
            }
            String variable = known[credential][0]
            if (variable && taken[variable]) {
                return name + ": the credentials '" + taken[variable] + "' and '" + credential + "' are for the same"
            }
            if (variable && variables(step).any { it.value == variable && given[it.key] != null }) {
                return name + ": the credential '" + credential + "' and a key of the call are for the same " + variable
            }
            taken[variable] = credential
        }
        return ''
    }

    /** Return a hint with the nearest valid word, or the list of all of them. */
    @NonCPS
    static String nearest(String word, Collection<String> valid) {
        String best = ''
        int least = Integer.MAX_VALUE
        for (String each : valid) {
            int distance = distanceOf(word.toLowerCase(), each.toLowerCase())
            if (distance < least) {
                least = distance
                best = each
            }
        }
        if (least <= Math.max(2, word.length().intdiv(2))) {
            return "did you mean '" + best + "'?"
        }
        return 'valid here: ' + valid.toList().sort().join(', ')
    }

    @NonCPS
    private static int distanceOf(String one, String other) {
        int[] row = (0..other.length()) as int[]
        for (int i = 1; i <= one.length(); i++) {
            int diagonal = row[0]
            row[0] = i
            for (int j = 1; j <= other.length(); j++) {
                int cost = one.charAt(i - 1) == other.charAt(j - 1) ? 0 : 1
                int least = Math.min(Math.min(row[j], row[j - 1]) + 1, diagonal + cost)
                diagonal = row[j]
                row[j] = least
            }
        }
        return row[other.length()]
    }

    /** Return the names of the keys that are an option of the step: those with a variable. */
    @NonCPS
    static Map<String, String> variables(String step) {
        Map<String, String> found = [:]
        for (Map.Entry<String, List> each : Keys.of(step).entrySet()) {
            if (each.value[0]) {
                found[each.key] = each.value[0]
            }
        }
        return found
    }

    /** Return a value as text for a variable; null for one that was not given. */
    @NonCPS
    static String text(Object value) {
        return value == null ? null : value instanceof Collection ? value.join(' ') : value.toString()
    }

    /** Return the credentials of a call that were given: name and id. */
    @NonCPS
    static Map credentials(Map given) { given.credentials ? given.credentials as LinkedHashMap : [:] }

    /** Return those keys of a flow's call that one step takes, and those of its credentials. */
    @NonCPS
    static Map part(String step, Map given) {
        Map<String, List> keys = Keys.of(step)
        Map<String, List> known = Keys.credentials(step)
        Map found = given.findAll { keys.containsKey(it.key.toString()) }
        found.credentials = credentials(given).findAll { known.containsKey(it.key.toString()) }
        return new LinkedHashMap(found)
    }

    /** Return the digests in the line that a build writes; empty for anything else. */
    @NonCPS
    static String digests(String text) {
        String line = text.trim()
        String found = line.startsWith('AUTOCLAVE_DIGEST=') ? line.substring('AUTOCLAVE_DIGEST='.length()) : ''
        return found ==~ Keys.digests() ? found : ''
    }

    /** Return host and port of a store in a registry; empty for a folder. */
    @NonCPS
    static String registry(String store) {
        String address = store ?: ''
        return address ==~ '^oci(\\+http)?://.*' ? address.substring(address.indexOf('://') + 3).tokenize('/')[0] : ''
    }

    /** Return the name of a step's stash, different for each device folder of the same build. */
    @NonCPS
    static String stash(String left, String folder) {
        return 'autoclave-' + left + (folder == '.' ? '' : '+' + folder.replace('/', '+'))
    }

    /** Return the host's evidence of an approval, as JSON. */
    @NonCPS
    static String approval(String environment, String submitter, String digest, String build) {
        Map said = [
            host: 'jenkins',
            says: 'a person approved this release; evidence of the host, not a signature',
            environment: environment,
            submitter: submitter,
            digest: digest,
            build: build,
            time: new Date().format("yyyy-MM-dd'T'HH:mm:ss'Z'", TimeZone.getTimeZone('UTC')),
        ]
        return groovy.json.JsonOutput.prettyPrint(groovy.json.JsonOutput.toJson(said)) + '\n'
    }
}
