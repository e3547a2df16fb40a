package dev.autoclave

import com.cloudbees.groovy.cps.NonCPS

/**
 * The keys of every call, for Autoclave 0.1.0.
 * Written by pipelines/make_jenkins.py from the steps' options.
 *
 * A key is name: [variable, kind, pattern]; without a variable it is the library's own.
 */
class Keys implements Serializable {
    private static final long serialVersionUID = 1L

    /** The version of the steps that this library drives; they refuse another one. */
    @NonCPS
    static String version() { '0.1.0' }

    /** Credentials that no build of a pull request ever sees. */
    @NonCPS
    static List<String> ofReleases() { ['key', 'releaseKey', 'trust', 'trustFolder', 'registry'] }

    /** The pattern of a list of digests. */
    @NonCPS
    static String digests() { '^[A-Za-z0-9._-]+=sha256:[0-9a-f]{64}(,[A-Za-z0-9._-]+=sha256:[0-9a-f]{64})*$' }

    /** The keys of a call. */
    @NonCPS
    static Map<String, List> of(String step) {
        switch (step) {
            case 'build':
                return [
                    key: ['AUTOCLAVE_KEY', 'text', ''],
                    publicKey: ['AUTOCLAVE_PUBLIC_KEY', 'text', ''],
                    tsa: ['AUTOCLAVE_TSA', 'text', ''],
                    image: ['AUTOCLAVE_IMAGE', 'list', ''],
                    again: ['AUTOCLAVE_AGAIN', 'flag', ''],
                    folder: ['AUTOCLAVE_FOLDER', 'text', '^(\\.|[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$'],
                    store: ['AUTOCLAVE_STORE', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    policy: ['AUTOCLAVE_POLICY', 'text', ''],
                    trust: ['AUTOCLAVE_TRUST', 'text', ''],
                    engine: ['AUTOCLAVE_ENGINE', 'text', ''],
                    engineCommand: ['AUTOCLAVE_ENGINE_COMMAND', 'text', ''],
                    verbose: ['AUTOCLAVE_VERBOSE', 'flag', ''],
                    pullRequestStore: ['', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    credentials: ['', 'map', ''],
                ]
            case 'unit-test':
                return [
                    key: ['AUTOCLAVE_KEY', 'text', ''],
                    publicKey: ['AUTOCLAVE_PUBLIC_KEY', 'text', ''],
                    tsa: ['AUTOCLAVE_TSA', 'text', ''],
                    image: ['AUTOCLAVE_IMAGE', 'list', ''],
                    again: ['AUTOCLAVE_AGAIN', 'flag', ''],
                    folder: ['AUTOCLAVE_FOLDER', 'text', '^(\\.|[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$'],
                    store: ['AUTOCLAVE_STORE', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    policy: ['AUTOCLAVE_POLICY', 'text', ''],
                    trust: ['AUTOCLAVE_TRUST', 'text', ''],
                    engine: ['AUTOCLAVE_ENGINE', 'text', ''],
                    engineCommand: ['AUTOCLAVE_ENGINE_COMMAND', 'text', ''],
                    verbose: ['AUTOCLAVE_VERBOSE', 'flag', ''],
                    pullRequestStore: ['', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    credentials: ['', 'map', ''],
                ]
            case 'scan':
                return [
                    key: ['AUTOCLAVE_KEY', 'text', ''],
                    publicKey: ['AUTOCLAVE_PUBLIC_KEY', 'text', ''],
                    tsa: ['AUTOCLAVE_TSA', 'text', ''],
                    image: ['AUTOCLAVE_IMAGE', 'list', ''],
                    again: ['AUTOCLAVE_AGAIN', 'flag', ''],
                    scanner: ['AUTOCLAVE_SCANNER', 'list', '^(clair|grype|trivy)$'],
                    scannerCommand: ['AUTOCLAVE_SCANNER_COMMAND', 'text', ''],
                    scannerCache: ['AUTOCLAVE_SCANNER_CACHE', 'text', ''],
                    databaseFrom: ['AUTOCLAVE_DATABASE_FROM', 'text', ''],
                    folder: ['AUTOCLAVE_FOLDER', 'text', '^(\\.|[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$'],
                    store: ['AUTOCLAVE_STORE', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    policy: ['AUTOCLAVE_POLICY', 'text', ''],
                    trust: ['AUTOCLAVE_TRUST', 'text', ''],
                    engine: ['AUTOCLAVE_ENGINE', 'text', ''],
                    engineCommand: ['AUTOCLAVE_ENGINE_COMMAND', 'text', ''],
                    verbose: ['AUTOCLAVE_VERBOSE', 'flag', ''],
                    pullRequestStore: ['', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    credentials: ['', 'map', ''],
                ]
            case 'sign':
                return [
                    key: ['AUTOCLAVE_KEY', 'text', ''],
                    publicKey: ['AUTOCLAVE_PUBLIC_KEY', 'text', ''],
                    tsa: ['AUTOCLAVE_TSA', 'text', ''],
                    image: ['AUTOCLAVE_IMAGE', 'list', ''],
                    again: ['AUTOCLAVE_AGAIN', 'flag', ''],
                    releaseKey: ['AUTOCLAVE_RELEASE_KEY', 'text', ''],
                    releasePublicKey: ['AUTOCLAVE_RELEASE_PUBLIC_KEY', 'text', ''],
                    folder: ['AUTOCLAVE_FOLDER', 'text', '^(\\.|[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$'],
                    store: ['AUTOCLAVE_STORE', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    policy: ['AUTOCLAVE_POLICY', 'text', ''],
                    trust: ['AUTOCLAVE_TRUST', 'text', ''],
                    engine: ['AUTOCLAVE_ENGINE', 'text', ''],
                    engineCommand: ['AUTOCLAVE_ENGINE_COMMAND', 'text', ''],
                    verbose: ['AUTOCLAVE_VERBOSE', 'flag', ''],
                    credentials: ['', 'map', ''],
                ]
            case 'deploy':
                return [
                    key: ['AUTOCLAVE_KEY', 'text', ''],
                    publicKey: ['AUTOCLAVE_PUBLIC_KEY', 'text', ''],
                    tsa: ['AUTOCLAVE_TSA', 'text', ''],
                    image: ['AUTOCLAVE_IMAGE', 'list', ''],
                    again: ['AUTOCLAVE_AGAIN', 'flag', ''],
                    folder: ['AUTOCLAVE_FOLDER', 'text', '^(\\.|[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$'],
                    store: ['AUTOCLAVE_STORE', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    policy: ['AUTOCLAVE_POLICY', 'text', ''],
                    trust: ['AUTOCLAVE_TRUST', 'text', ''],
                    engine: ['AUTOCLAVE_ENGINE', 'text', ''],
                    engineCommand: ['AUTOCLAVE_ENGINE_COMMAND', 'text', ''],
                    verbose: ['AUTOCLAVE_VERBOSE', 'flag', ''],
                    environment: ['AUTOCLAVE_ENVIRONMENT', 'text', '^[a-z0-9]+(-[a-z0-9]+)*$'],
                    digest: ['', 'text', '^[A-Za-z0-9._-]+=sha256:[0-9a-f]{64}(,[A-Za-z0-9._-]+=sha256:[0-9a-f]{64})*$'],
                    credentials: ['', 'map', ''],
                ]
            case 'pipeline':
                return [
                    staging: ['', 'text', '^[a-z0-9]+(-[a-z0-9]+)*$'],
                    production: ['', 'text', '^[a-z0-9]+(-[a-z0-9]+)*$'],
                    submitter: ['', 'text', ''],
                    agent: ['', 'text', ''],
                    releaseAgent: ['', 'text', ''],
                    key: ['AUTOCLAVE_KEY', 'text', ''],
                    publicKey: ['AUTOCLAVE_PUBLIC_KEY', 'text', ''],
                    tsa: ['AUTOCLAVE_TSA', 'text', ''],
                    image: ['AUTOCLAVE_IMAGE', 'list', ''],
                    again: ['AUTOCLAVE_AGAIN', 'flag', ''],
                    folder: ['AUTOCLAVE_FOLDER', 'text', '^(\\.|[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)$'],
                    store: ['AUTOCLAVE_STORE', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    policy: ['AUTOCLAVE_POLICY', 'text', ''],
                    trust: ['AUTOCLAVE_TRUST', 'text', ''],
                    engine: ['AUTOCLAVE_ENGINE', 'text', ''],
                    engineCommand: ['AUTOCLAVE_ENGINE_COMMAND', 'text', ''],
                    verbose: ['AUTOCLAVE_VERBOSE', 'flag', ''],
                    pullRequestStore: ['', 'text', '^(oci(\\+http)?://[A-Za-z0-9._:/-]+|(?!oci).*)$'],
                    credentials: ['', 'map', ''],
                    scanner: ['AUTOCLAVE_SCANNER', 'list', '^(clair|grype|trivy)$'],
                    scannerCommand: ['AUTOCLAVE_SCANNER_COMMAND', 'text', ''],
                    scannerCache: ['AUTOCLAVE_SCANNER_CACHE', 'text', ''],
                    databaseFrom: ['AUTOCLAVE_DATABASE_FROM', 'text', ''],
                    releaseKey: ['AUTOCLAVE_RELEASE_KEY', 'text', ''],
                    releasePublicKey: ['AUTOCLAVE_RELEASE_PUBLIC_KEY', 'text', ''],
                ]
            default:
                return [:]
        }
    }

    /** The credentials of a call: [variable, kind]. */
    @NonCPS
    static Map<String, List> credentials(String step) {
        switch (step) {
            case 'build':
                return [
                    key: ['AUTOCLAVE_KEY', 'keyFile'],
                    policy: ['AUTOCLAVE_POLICY', 'file'],
                    trust: ['AUTOCLAVE_TRUST', 'file'],
                    trustFolder: ['AUTOCLAVE_TRUST', 'zip'],
                    registry: ['', 'login'],
                    pullRequestRegistry: ['', 'login'],
                ]
            case 'unit-test':
                return [
                    key: ['AUTOCLAVE_KEY', 'keyFile'],
                    policy: ['AUTOCLAVE_POLICY', 'file'],
                    trust: ['AUTOCLAVE_TRUST', 'file'],
                    trustFolder: ['AUTOCLAVE_TRUST', 'zip'],
                    registry: ['', 'login'],
                    pullRequestRegistry: ['', 'login'],
                ]
            case 'scan':
                return [
                    key: ['AUTOCLAVE_KEY', 'keyFile'],
                    policy: ['AUTOCLAVE_POLICY', 'file'],
                    trust: ['AUTOCLAVE_TRUST', 'file'],
                    trustFolder: ['AUTOCLAVE_TRUST', 'zip'],
                    registry: ['', 'login'],
                    pullRequestRegistry: ['', 'login'],
                ]
            case 'sign':
                return [
                    key: ['AUTOCLAVE_KEY', 'keyFile'],
                    releaseKey: ['AUTOCLAVE_RELEASE_KEY', 'keyFile'],
                    policy: ['AUTOCLAVE_POLICY', 'file'],
                    trust: ['AUTOCLAVE_TRUST', 'file'],
                    trustFolder: ['AUTOCLAVE_TRUST', 'zip'],
                    registry: ['', 'login'],
                ]
            case 'deploy':
                return [
                    key: ['AUTOCLAVE_KEY', 'keyFile'],
                    policy: ['AUTOCLAVE_POLICY', 'file'],
                    trust: ['AUTOCLAVE_TRUST', 'file'],
                    trustFolder: ['AUTOCLAVE_TRUST', 'zip'],
                    registry: ['', 'login'],
                ]
            case 'pipeline':
                return [
                    key: ['AUTOCLAVE_KEY', 'keyFile'],
                    releaseKey: ['AUTOCLAVE_RELEASE_KEY', 'keyFile'],
                    policy: ['AUTOCLAVE_POLICY', 'file'],
                    trust: ['AUTOCLAVE_TRUST', 'file'],
                    trustFolder: ['AUTOCLAVE_TRUST', 'zip'],
                    registry: ['', 'login'],
                    pullRequestRegistry: ['', 'login'],
                ]
            default:
                return [:]
        }
    }

    /** The steps whose handovers a step reads. */
    @NonCPS
    static List<String> takes(String step) {
        switch (step) {
            case 'build':
                return []
            case 'unit-test':
                return [
                    'build',
                ]
            case 'scan':
                return [
                    'build',
                ]
            case 'sign':
                return [
                    'build',
                    'unit-test',
                    'scan',
                ]
            case 'deploy':
                return [
                    'build',
                    'unit-test',
                    'scan',
                    'sign',
                ]
            default:
                return []
        }
    }

    /** The checks of what was built, wave by wave: the call, the step, its command. */
    @NonCPS
    static List<List<List<String>>> checks() {
        return [
            [
                ['autoclaveUnitTest', 'unit-test', 'autoclave unit-test'],
                ['autoclaveScan', 'scan', 'autoclave database update --older-than 12 && autoclave scan'],
            ],
        ]
    }
}
