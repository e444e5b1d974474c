/// Names the observer of one command on its host. The nonce stands in the observer's arguments, so that a later process with the
/// same id is not taken for it.
struct ObserverID: Hashable, Sendable {
    let processID: Int
    let nonce: String
}
