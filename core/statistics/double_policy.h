// How Boost.Math computes here: no exceptions, and plain doubles. Long double is emulated on some
// processors, and 1e-14 is plenty.
#ifndef ASSAY_CORE_STATISTICS_DOUBLE_POLICY_H_
#define ASSAY_CORE_STATISTICS_DOUBLE_POLICY_H_

#include <boost/math/policies/policy.hpp>

namespace assay {

using DoublePolicy = boost::math::policies::policy<
    boost::math::policies::promote_double<false>,
    boost::math::policies::domain_error<boost::math::policies::ignore_error>,
    boost::math::policies::pole_error<boost::math::policies::ignore_error>,
    boost::math::policies::overflow_error<boost::math::policies::ignore_error>,
    boost::math::policies::underflow_error<boost::math::policies::ignore_error>,
    boost::math::policies::evaluation_error<boost::math::policies::ignore_error>>;

}  // namespace assay

#endif  // ASSAY_CORE_STATISTICS_DOUBLE_POLICY_H_
