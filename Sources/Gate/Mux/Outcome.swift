/// What a failure says about the request.
public enum Outcome: Equatable, Sendable {
    /// The master does not have the whole request: nothing has happened, and nothing will.
    case nothingAsked
    /// The master has the request. It may have acted on it, or may still do so if it was only stopped.
    case unknown
}
