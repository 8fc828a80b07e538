"""What is asked of GitHub's GraphQL API; a test checks it against GitHub's published schema.

One page costs one point: never nest two lists below the pull requests.
"""

PULL_REQUESTS = """
query PullRequests($owner: String!, $name: String!, $first: Int!, $after: String, $field: IssueOrderField!,
                   $direction: OrderDirection!, $withFiles: Boolean!) {
  rateLimit { cost remaining resetAt }
  repository(owner: $owner, name: $name, followRenames: true) {
    nameWithOwner
    pullRequests(first: $first, after: $after, orderBy: {field: $field, direction: $direction}) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes {
        number title body createdAt updatedAt mergedAt closedAt
        additions deletions changedFiles
        author { __typename login }
        isCrossRepository baseRefName headRefName headRefOid
        headRepository { nameWithOwner }
        mergeCommit { oid }
        commits { totalCount }
        files(first: 100) @include(if: $withFiles) {
          totalCount
          pageInfo { hasNextPage endCursor }
          nodes { path additions deletions changeType }
        }
      }
    }
  }
}
"""

FILES = """
query Files($owner: String!, $name: String!, $number: Int!, $after: String) {
  rateLimit { cost remaining resetAt }
  repository(owner: $owner, name: $name, followRenames: true) {
    nameWithOwner
    pullRequest(number: $number) {
      files(first: 100, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes { path additions deletions changeType }
      }
    }
  }
}
"""
