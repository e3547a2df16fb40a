package hudson

/** Stands for Jenkins' own class of this name: a failure that is shown without a stack trace. */
class AbortException extends IOException {
    private static final long serialVersionUID = 1L

    AbortException(String message) { super(message) }
}
